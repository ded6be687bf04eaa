//! Style sheets and scripts. Each has the digest of its content in its address, so that a browser may keep it for ever and
//! a new release is seen at once.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static [u8],
}

const ASSETS: &[Asset] = &[
    Asset {
        name: "app.css",
        kind: CSS,
        content: include_bytes!("../../assets/app.css"),
    },
    Asset {
        name: "app.js",
        kind: JAVASCRIPT,
        content: include_bytes!("../../assets/app.js"),
    },
    Asset {
        name: "theme.js",
        kind: JAVASCRIPT,
        content: include_bytes!("../../assets/theme.js"),
    },
    Asset {
        name: "icon.svg",
        kind: "image/svg+xml",
        content: include_bytes!("../../assets/icon.svg"),
    },
    Asset {
        name: "htmx.js",
        kind: JAVASCRIPT,
        content: include_bytes!("../../assets/vendor/htmx.min.js"),
    },
    Asset {
        name: "htmx-sse.js",
        kind: JAVASCRIPT,
        content: include_bytes!("../../assets/vendor/htmx-sse.min.js"),
    },
    Asset {
        name: "uplot.js",
        kind: JAVASCRIPT,
        content: include_bytes!("../../assets/vendor/uPlot.iife.min.js"),
    },
    Asset {
        name: "uplot.css",
        kind: CSS,
        content: include_bytes!("../../assets/vendor/uPlot.min.css"),
    },
];

/// The addresses, with digests.
static ADDRESSES: LazyLock<Vec<String>> = LazyLock::new(|| {
    ASSETS
        .iter()
        .map(|asset| {
            let digest = Sha256::digest(asset.content);
            let short: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
            format!("/assets/{}?v={short}", asset.name)
        })
        .collect()
});

/// The address of an asset; `""` for one that is not there, which a test would see.
pub(crate) fn address(name: &str) -> &'static str {
    let place = ASSETS.iter().position(|asset| asset.name == name);
    place
        .and_then(|place| ADDRESSES.get(place))
        .map_or("", String::as_str)
}

/// An asset.
pub(crate) async fn show(Path(file): Path<String>) -> Response {
    match ASSETS.iter().find(|asset| asset.name == file) {
        Some(asset) => (
            [
                (header::CONTENT_TYPE, asset.kind),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ],
            asset.content,
        )
            .into_response(),
        None => (StatusCode::NOT_FOUND, "There is no such file.\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_that_a_template_names_is_there() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
        let mut named = 0;
        for entry in std::fs::read_dir(directory).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for part in text.split("asset(\"").skip(1) {
                let name = part.split('"').next().unwrap();
                assert!(address(name).contains("?v="), "{name}");
                named += 1;
            }
        }
        assert!(named > 5);
    }

    #[test]
    fn no_page_has_a_script_or_a_style_in_it() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            for forbidden in [
                " style=",
                "<style",
                " onclick",
                " onload",
                " onsubmit",
                "javascript:",
                "hx-on",
                "hx-vals='js",
            ] {
                assert!(!text.contains(forbidden), "{}: {forbidden}", path.display());
            }
            for script in text.split("<script").skip(1) {
                assert!(
                    script.trim_start().starts_with("src=") || script.starts_with(" defer src="),
                    "{}",
                    path.display()
                );
            }
        }
    }
}
