//! Times of the day in which something may be started by itself. Pure.

/// From a minute of the day up to another one, over midnight when that is earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    from: u16,
    until: u16,
}

impl Window {
    /// `22:00-06:00`
    pub(crate) fn parse(text: &str) -> Result<Window, String> {
        let bad = || format!("{text} is no window; write 22:00-06:00");
        let (from, until) = text.split_once('-').ok_or_else(bad)?;
        let window = Window {
            from: minute(from).ok_or_else(bad)?,
            until: minute(until).ok_or_else(bad)?,
        };
        if window.from == window.until {
            return Err(format!("{text} is no time at all"));
        }
        Ok(window)
    }

    /// Whether `minute` of the day lies in it.
    pub(crate) const fn holds(self, minute: u16) -> bool {
        if self.from < self.until {
            self.from <= minute && minute < self.until
        } else {
            self.from <= minute || minute < self.until
        }
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    if minute.len() != 2 {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let is_time = minute < 60 && (hour < 24 || (hour == 24 && minute == 0));
    is_time.then_some(hour * 60 + minute)
}

/// Whether something may be started now, by the clock of this machine. Without windows, always.
pub(crate) fn is_open(windows: &[Window]) -> bool {
    if windows.is_empty() {
        return true;
    }
    let now = jiff::Zoned::now();
    let minute = now.hour() as u16 * 60 + now.minute() as u16;
    windows.iter().any(|window| window.holds(minute))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_may_go_over_midnight() {
        let night = Window::parse("22:00-06:00").unwrap();
        let holds = |text: &str| night.holds(minute(text).unwrap());
        assert!(holds("22:00") && holds("23:59") && holds("0:00") && holds("05:59"));
        assert!(!holds("06:00") && !holds("21:59"));
        let evening = Window::parse("18:30 - 24:00").unwrap();
        assert!(evening.holds(1_439) && !evening.holds(0));
        for text in [
            "22:00",
            "22-06",
            "22:0-06:00",
            "24:01-1:00",
            "7:00-7:00",
            "x:00-1:00",
        ] {
            assert!(Window::parse(text).is_err(), "{text}");
        }
    }
}
