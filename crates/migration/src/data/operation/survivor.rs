//! Programs that outlive the worker that began them: found by the name of their try, which stands in their environment.
//!
//! Only on this machine, and only where the environment of processes can be read (Linux, the same user). A worker elsewhere
//! cannot know; `repeat` says what is to be done then.

use std::path::Path;

/// What the environment of a program says of its try.
pub(super) const VARIABLE: &str = "CORRIDOR_ATTEMPT";

/// Processes of this machine that belong to the try `tag`: the program, and what it has begun.
pub(super) fn of(tag: &str) -> Vec<u32> {
    let wanted = format!("{VARIABLE}={tag}");
    let own = std::process::id();
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != own && has(&Path::new("/proc").join(pid.to_string()), wanted.as_bytes()))
        .collect()
}

fn has(process: &Path, wanted: &[u8]) -> bool {
    // A process that has ended and was not waited for has no environment any more.
    std::fs::read(process.join("environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|one| one == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_try_and_by_no_other() {
        let tag = format!("corridor m tell {}", std::process::id());
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .env(VARIABLE, &tag)
            .spawn()
            .unwrap();
        // Right behind its start a process has no environment yet.
        for _ in 0..100 {
            if !of(&tag).is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert_eq!(of(&tag), [child.id()]);
        assert!(of(&format!("{tag}1")).is_empty());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(of(&tag).is_empty());
    }
}
