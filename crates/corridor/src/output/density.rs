//! Shares over a space in one line of text. Pure.

use corridor_limits::finding::Density;

/// From low to high.
pub(crate) const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Nothing at all was hit in a part: that is told from a little.
const NOTHING: char = '·';

/// One character for each part.
pub(crate) fn line(density: &Density) -> String {
    let level = |share: f64| (share.clamp(0.0, 1.0) * LEVELS.len() as f64).ceil() as usize;
    density
        .shares
        .iter()
        .map(|share| match level(*share) {
            0 => NOTHING,
            level => LEVELS.get(level - 1).copied().unwrap_or(NOTHING),
        })
        .collect()
}

/// The line under it: where one is, with words on the side that has more room.
pub(crate) fn place(density: &Density) -> Option<String> {
    let (at, all) = (density.at?, density.shares.len());
    let word = density.at_word;
    if at < all / 2 {
        return Some(format!("{}^ {word}", " ".repeat(at)));
    }
    let before = at.saturating_sub(word.len() + 1);
    Some(format!("{}{word} ^", " ".repeat(before)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn density(shares: Vec<f64>, at: Option<usize>) -> Density {
        Density {
            of: "ids in use",
            shares,
            at,
            at_word: "the counter",
        }
    }

    #[test]
    fn a_dense_part_is_seen() {
        let some = density(vec![0.0, 0.01, 0.125, 0.126, 0.5, 0.99, 1.0, 7.0], None);
        assert_eq!(line(&some), "·▁▁▂▄███");
        assert_eq!(place(&some), None);
    }

    #[test]
    fn the_place_stands_below_its_part() {
        let early = density(vec![0.0; 64], Some(3));
        assert_eq!(place(&early).unwrap(), "   ^ the counter");
        let late = place(&density(vec![0.0; 64], Some(63))).unwrap();
        assert_eq!(late.find('^'), Some(63));
        assert_eq!(late.trim_start(), "the counter ^");
    }
}
