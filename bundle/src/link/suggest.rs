//! The name that somebody may have meant.

/// The closest of `known` to `wanted`, if it is close enough to be a slip: about one letter in three.
pub fn nearest<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wanted.chars().count() / 3).max(1);
    known
        .map(|name| (distance(&stem(wanted), &stem(name)), name))
        .filter(|(far, _)| *far <= limit)
        .min_by_key(|(far, _)| *far)
        .map(|(_, name)| name)
}

/// A name in lower case and without the extension that an import may leave out.
fn stem(name: &str) -> String {
    let known = [".tsx", ".ts", ".jsx", ".js", ".json"];
    let name = known.iter().find_map(|extension| name.strip_suffix(extension)).unwrap_or(name);
    name.to_lowercase()
}

/// How many letters must be added, dropped or changed to turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut before = i;
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let change = before + usize::from(from != *to);
            before = row[j + 1];
            row[j + 1] = change.min(before + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["react", "lucide-react", "Chart.tsx", "recharts"];
        assert_eq!(nearest("lucid-react", known.into_iter()), Some("lucide-react"));
        assert_eq!(nearest("chrat", ["Chart.tsx"].into_iter()), None);
        assert_eq!(nearest("Chartt", known.into_iter()), Some("Chart.tsx"));
        assert_eq!(nearest("left-pad", known.into_iter()), None);
    }
}
