//! WebDriver on the wire: one request, one connection, one JSON document back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::error::{Error, Result};

/// A page that loads is waited for by the driver.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);

/// What the driver answers, without its wrapping.
pub(super) fn ask(port: u16, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
    let doing = || format!("asking chromedriver: {method} {path}");
    let mut stream =
        TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).map_err(Error::io(doing()))?;
    stream
        .set_read_timeout(Some(ANSWER_TIMEOUT))
        .map_err(Error::io(doing()))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).map_err(Error::io(doing()))?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).map_err(Error::io(doing()))?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(figure) = line.strip_prefix("content-length:") {
            length = figure.trim().parse().unwrap_or(0);
        }
    }
    let mut answer = vec![0; length];
    reader.read_exact(&mut answer).map_err(Error::io(doing()))?;
    let answer: Value = serde_json::from_slice(&answer)
        .map_err(|error| refused(format!("{}: no JSON came back: {error}", doing())))?;
    let value = answer.get("value").cloned().unwrap_or_default();
    match value.get("error").and_then(Value::as_str) {
        Some(error) => {
            let message = value["message"].as_str().unwrap_or_default();
            let first = message.lines().next().unwrap_or_default();
            Err(refused(format!("{}: {error}: {first}", doing())))
        }
        None => Ok(value),
    }
}

/// What could not be done, as an error.
pub(super) fn refused(why: impl Into<String>) -> Error {
    Error::Request(why.into())
}

/// The bytes behind a text in base64; `None` when it is none.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut bits) = (0u32, 0u32);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = (held << 6) | u32::from(six);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_read() {
        assert_eq!(base64("Q29ycmlkb3I=").unwrap(), b"Corridor");
        assert_eq!(base64("+/8=").unwrap(), [0xfb, 0xff]);
        assert_eq!(base64("").unwrap(), b"");
        assert!(base64("a b").is_none());
    }
}
