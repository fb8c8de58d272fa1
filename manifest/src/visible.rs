//! Whether a text shows as what it is: on a terminal, on a page, beside another one.

/// The first character that would not: control characters, those that turn the direction of text round, those without
/// width or glyph, and those that mean nothing outside one program (private use, noncharacters).
///
/// Joiners and selectors of variants are none where they are part of writing: between letters of scripts that join, in
/// emoji, behind the ideograph whose form they choose. Anywhere else they are, as in `North` with one behind it, which
/// looks like `North`.
pub fn hidden_character(text: &str) -> Option<char> {
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let hidden = match c {
            '\u{200C}' | '\u{200D}' => {
                !(before.is_some_and(joins) && rest.peek().copied().is_some_and(joins))
            }
            '\u{FE0E}' | '\u{FE0F}' => !before.is_some_and(is_symbol),
            '\u{E0100}'..='\u{E01EF}' => !before.is_some_and(is_ideograph),
            _ => never_seen(c),
        };
        if hidden {
            return Some(c);
        }
        before = Some(c);
    }
    None
}

/// Whether letters of the script that a character is of join their neighbours, or it is part of an emoji: everything from
/// Arabic on. Latin, Greek, Cyrillic, Armenian and Hebrew letters never join.
fn joins(c: char) -> bool {
    c >= '\u{0600}' && !never_seen(c) && c != '\u{200C}' && c != '\u{200D}'
}

/// Whether a character is one that is drawn as text or as a picture.
fn is_symbol(c: char) -> bool {
    matches!(c, '#' | '*' | '0'..='9' | '\u{A9}' | '\u{AE}')
        || (!c.is_alphanumeric() && c >= '\u{2000}' && joins(c))
        || matches!(c, '\u{1F100}'..='\u{1F1FF}' | '\u{2139}' | '\u{24C2}')
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFD}')
}

/// What shows nowhere. The ranges are those of Unicode 16: `Default_Ignorable_Code_Point`, the general categories Cc, Co,
/// Zl and Zp, the noncharacters, and those of Cf and So that are drawn as nothing.
fn never_seen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            // Without width, or drawn as nothing: soft hyphen, joiner of graphemes, fillers of Hangul, blank Braille.
            '\u{AD}' | '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
                | '\u{200B}' | '\u{2800}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}'
                // Marks and overrides of direction, breaks of lines, invisible operators.
                | '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
                // Selectors of variants that no writing of today uses, annotations, the place of an object.
                | '\u{FE00}'..='\u{FE0D}' | '\u{FFF0}'..='\u{FFFC}'
                // Controls of shorthand, of hieroglyphs and of music, and a note without a head.
                | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}'
                // Tags, which carry text that nobody sees, and what is kept free beside them.
                | '\u{E0000}'..='\u{E0FFF}'
                // Private use: every font draws something else.
                | '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}'
                | '\u{FDD0}'..='\u{FDEF}'
        )
        || u32::from(c) & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_seen() {
        for text in [
            "",
            "North",
            "\u{dc}berraschung",
            "\u{533b}\u{7642}",
            "\u{845b}\u{E0100}\u{57ce}",
            "\u{1F469}\u{200D}\u{2695}\u{FE0F}",
            "\u{1F3F3}\u{FE0F}\u{200D}\u{1F308}",
            "1\u{FE0F}\u{20E3} \u{a9}\u{FE0F} \u{2764}\u{FE0E}",
            "\u{5e2}\u{5d1}\u{5e8}\u{5d9}\u{5ea}",
            "\u{645}\u{6cc}\u{200C}\u{62e}\u{648}\u{627}\u{647}\u{645}",
            "\u{915}\u{94d}\u{200D}\u{937}",
            "\u{FFFD}",
        ] {
            assert_eq!(hidden_character(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_not() {
        for text in [
            "North\u{FE0F}",
            "North\u{200D}",
            "No\u{200C}rth",
            "\u{200D}\u{200D}",
            "\u{645}\u{200C}",
            "\u{41d}\u{200D}\u{435}",
            "a\u{E0100}",
            "a\u{FE00}",
            "a\u{1BCA0}b",
            "a\u{1D173}b",
            "a\u{13430}b",
            "a\u{FFFC}",
            "\u{E000}",
            "\u{F8FF}",
            "\u{100000}",
            "\u{FDD0}",
            "a\u{FFFF}",
            "a\u{1FFFE}",
            "a\u{180B}b",
            "a\u{2065}b",
        ] {
            assert!(hidden_character(text).is_some(), "{text:?}");
        }
    }
}
