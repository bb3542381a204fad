//! Numbers as people read them.

/// Bytes with a decimal unit: "999 B", "2.6 MB", "13.2 GB".
pub(crate) fn bytes(bytes: u64) -> String {
    scaled(bytes, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// A count with a decimal unit: "999", "657.0 K", "1.2 B".
pub(crate) fn count(count: u64) -> String {
    scaled(count, &["", "K", "M", "B", "T"]).trim_end().to_owned()
}

fn scaled(number: u64, units: &[&str]) -> String {
    let mut scaled = number as f64;
    let mut unit = 0;
    // 999.95 would print as 1000.0.
    while scaled >= 999.95 && unit + 1 < units.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{number} {}", units[0]),
        _ => format!("{scaled:.1} {}", units[unit]),
    }
}

/// A time: "0.42 s", "12.3 s", "3 min 20 s".
pub(crate) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.2} s"),
        s if s < 120.0 => format!("{s:.1} s"),
        s => format!("{} min {} s", (s / 60.0) as u64, (s % 60.0) as u64),
    }
}

/// `text`, cut to about `limit` characters with a mark that something is missing.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_change_before_a_number_gets_four_digits() {
        assert_eq!(
            [0, 999, 1000, 999_949, 999_950].map(bytes),
            ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB"]
        );
        assert_eq!(bytes(u64::MAX), "18.4 EB");
        assert_eq!([999, 656_640].map(count), ["999", "656.6 K"]);
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(shortened("日本語", 2), "日本…");
        assert_eq!(shortened("日本語", 3), "日本語");
    }
}
