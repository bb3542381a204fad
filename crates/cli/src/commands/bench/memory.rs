//! Memory, as a benchmark sees it: more bytes than caches hold, and the speed of reading them.

use std::fs;
use std::path::Path;

/// The least bytes of weights that come from memory, and the most.
const LEAST: usize = 192 << 20;
const MOST: usize = 1 << 30;

/// Bytes of weights of which most come from memory, however often they are read: twice what the last cache holds,
/// where the operating system tells.
pub(super) fn bytes() -> usize {
    let cache = last_cache(Path::new("/sys/devices/system/cpu/cpu0/cache")).unwrap_or(0);
    cache.saturating_mul(2).clamp(LEAST, MOST)
}

/// Bytes of the cache of the highest level that Linux lists in a folder, one in a folder each.
fn last_cache(folder: &Path) -> Option<usize> {
    let caches = fs::read_dir(folder).ok()?.filter_map(|entry| {
        let cache = entry.ok()?.path();
        let number = |name: &str| {
            let text = fs::read_to_string(cache.join(name)).ok()?;
            text.trim().trim_end_matches('K').parse::<usize>().ok()
        };
        Some((number("level")?, number("size")?))
    });
    // The size is stated in KiB.
    caches.max().and_then(|(_, size)| size.checked_mul(1024))
}

/// Reads all bytes, as plain sums do: from so many places side by side, of each of which the processor fetches ahead.
pub(super) fn read<const PLACES: usize>(bytes: &[u8]) -> u64 {
    let (lines, rest) = bytes.as_chunks::<64>();
    let length = lines.len() / PLACES;
    let mut places = [lines; PLACES];
    for (i, place) in places.iter_mut().enumerate() {
        *place = &lines[i * length..][..length];
    }
    let mut sums = [0_u64; 8];
    let mut add = |line: &[u8; 64]| {
        for (sum, word) in sums.iter_mut().zip(line.as_chunks::<8>().0) {
            *sum = sum.wrapping_add(u64::from_ne_bytes(*word));
        }
    };
    for i in 0..length {
        for place in places {
            add(&place[i]);
        }
    }
    lines[PLACES * length..].iter().for_each(&mut add);
    let rest = rest.iter().map(|&byte| u64::from(byte));
    sums.into_iter().chain(rest).fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_of_the_highest_level_is_the_last() {
        let folder = tempfile::tempdir().unwrap();
        for (name, level, size) in
            [("index0", "1\n", "48K\n"), ("index3", "3\n", "491520K\n"), ("index2", "2\n", "2048K\n")]
        {
            let cache = folder.path().join(name);
            fs::create_dir(&cache).unwrap();
            fs::write(cache.join("level"), level).unwrap();
            fs::write(cache.join("size"), size).unwrap();
        }
        fs::write(folder.path().join("uevent"), "").unwrap();
        assert_eq!(last_cache(folder.path()), Some(480 << 20));
        assert_eq!(last_cache(&folder.path().join("none")), None);
        assert!((LEAST..=MOST).contains(&bytes()));
    }

    #[test]
    fn every_byte_is_read_from_whatever_number_of_places() {
        let bytes: Vec<u8> = (0..1003_u32).map(|i| (i * i) as u8).collect();
        let words = bytes[..960].as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word));
        let sum = words.chain(bytes[960..].iter().map(|&byte| byte.into())).fold(0, u64::wrapping_add);
        assert_eq!([read::<1>(&bytes), read::<4>(&bytes), read::<8>(&bytes)], [sum; 3]);
    }
}
