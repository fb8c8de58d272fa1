//! How much stack a text can cost to parse, walk and drop: those recurse with the nesting of the source.
//!
//! The estimate reads brackets, tags and operators without knowing the grammar. Too high only means a larger
//! reservation of address space (pages never touched cost nothing), so everything unclear counts as nesting.

/// Stack that any text gets.
const BASE: usize = 1024 * 1024;
/// Stack for one level of brackets or tags.
const PER_BRACKET: usize = 6 * 1024;
/// Stack for one operator or word in a row without a separator: `!!!!x`, `a + a + a`, `x => y => z`.
const PER_LINK: usize = 1024;
/// Most stack that is ever reserved; what would need more is refused.
const MAX: usize = 512 * 1024 * 1024;

/// Bytes of stack that suffice for the text; none where it is nested too deeply to be read.
pub(crate) fn stack_for(text: &str) -> Option<usize> {
    let Nesting { brackets, tags, links } = measure(text.as_bytes());
    let need = BASE + (brackets + tags) * PER_BRACKET + links * PER_LINK;
    (need <= MAX).then_some(need)
}

/// Words that continue what a `}` or `;` seems to end.
const CONTINUES: [&[u8]; 7] = [b"else", b"in", b"instanceof", b"as", b"satisfies", b"extends", b"is"];

/// Upper bounds of nesting.
#[derive(Debug, Default, PartialEq, Eq)]
struct Nesting {
    /// Deepest nesting of `(`, `[`, `{`.
    brackets: usize,
    /// Deepest nesting of tags and type arguments.
    tags: usize,
    /// Longest chain of operators and words that no separator interrupts, over all open brackets.
    links: usize,
}

fn measure(text: &[u8]) -> Nesting {
    let mut most = Nesting::default();
    // Links of the open brackets, the innermost last, and their sum.
    let mut open: Vec<usize> = vec![0];
    let mut links = 0;
    let mut tags: usize = 0;
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        let next = text.get(at + 1).copied().unwrap_or(b' ');
        at += 1;
        match byte {
            b'(' | b'[' | b'{' => {
                add_link(&mut open, &mut links);
                open.push(0);
                most.brackets = most.brackets.max(open.len() - 1);
            }
            b')' | b']' | b'}' => {
                if open.len() > 1 {
                    links -= open.pop().unwrap_or(0);
                }
                // A block ends a statement, unless it is an object or a branch that the chain goes on behind.
                if byte == b'}' && begins_anew(&text[at..]) {
                    end_chain(&mut open, &mut links);
                }
            }
            b';' if begins_anew(&text[at..]) => end_chain(&mut open, &mut links),
            b',' => end_chain(&mut open, &mut links),
            b'<' if next == b'/' => tags = tags.saturating_sub(1),
            b'/' if next == b'>' => tags = tags.saturating_sub(1),
            b'<' if next.is_ascii_alphabetic()
                || matches!(next, b'>' | b'_' | b'$' | b'<' | b'{' | b'(' | b'[') =>
            {
                tags += 1;
                most.tags = most.tags.max(tags);
                add_link(&mut open, &mut links);
            }
            b'"' | b'\'' => at = skip_string(text, at, byte),
            b' ' | b'\t' | b'\r' | b'\n' => {}
            byte if is_word(byte) => {
                while at < text.len() && is_word(text[at]) {
                    at += 1;
                }
                add_link(&mut open, &mut links);
            }
            _ => add_link(&mut open, &mut links),
        }
        most.links = most.links.max(links);
    }
    most
}

fn add_link(open: &mut [usize], links: &mut usize) {
    if let Some(innermost) = open.last_mut() {
        *innermost += 1;
        *links += 1;
    }
}

fn end_chain(open: &mut [usize], links: &mut usize) {
    if let Some(innermost) = open.last_mut() {
        *links -= std::mem::take(innermost);
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

/// Whether what follows a `}` or `;` is no continuation of the expression or `if` before it.
fn begins_anew(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    let word = &rest[..rest.iter().take(16).take_while(|byte| is_word(**byte)).count()];
    match rest.first() {
        None | Some(b'}' | b'@' | b'"' | b'\'' | b'/') => true,
        _ => !word.is_empty() && !CONTINUES.contains(&word),
    }
}

/// The offset behind the closing quote on the same line; without one it was an apostrophe in text.
fn skip_string(text: &[u8], from: usize, quote: u8) -> usize {
    let mut at = from;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'\n' => return from,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_nests() {
        assert_eq!(measure(b"f(g([1, {a: '((((' }]))").brackets, 4);
        assert_eq!(measure(b"don't (a)").brackets, 1);
        assert_eq!(measure(b"<a><b/><c><d></d></c></a>").tags, 3);
        assert_eq!(measure(b"a; b; c; d").links, 1);
        assert_eq!(measure(b"!!!!a").links, 5);
        assert_eq!(measure(b"a + b + c, d").links, 5);
        assert_eq!(measure(b"a {} + {} + {}").links, 6);
        assert_eq!(measure(b"if(a){}else{}\nb {}").links, 5);
    }

    #[test]
    fn refuses_what_no_stack_holds() {
        assert!(stack_for(&"(".repeat(1_000_000)).is_none());
        assert!(stack_for(&"let a = f(1);\n".repeat(100_000)).is_some());
    }
}
