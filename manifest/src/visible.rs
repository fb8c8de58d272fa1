//! Whether a text shows as what it is: on a terminal, on a page, beside another one.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory};

/// The first character that would not: control characters, those that turn the direction of text round, those without
/// width or glyph, and those that mean nothing outside one program (private use, unassigned, noncharacters).
///
/// Joiners, selectors of variants and tags are none where they are part of writing: between letters of scripts that join,
/// in emoji, behind the ideograph whose form they choose, in the flag of Scotland. Anywhere else they are, as in `North`
/// with one behind it, which looks like `North`.
pub fn hidden_character(text: &str) -> Option<char> {
    let mut before = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let next = rest.clone().next();
        if is_hidden(before, c, next) {
            return Some(c);
        }
        before = Some(c);
        if c == BLACK_FLAG
            && let Some(tags) = flag_tags(rest.as_str())
        {
            rest = rest.as_str()[tags..].chars();
            // Nothing chooses a form of a flag, or joins it.
            before = None;
        }
    }
    None
}

/// Whether a character does not show between these two.
fn is_hidden(before: Option<char>, c: char, next: Option<char>) -> bool {
    let is = |neighbour: Option<char>, what: fn(char) -> bool| neighbour.is_some_and(what);
    match c {
        '\u{200C}' => !(is(before, is_shaped) && is(next, is_shaped)),
        '\u{200D}' => {
            let letters = is(before, is_shaped) && is(next, is_shaped);
            let pictures = is(before, |c| is_picture(c) || c == '\u{FE0F}') && is(next, is_picture);
            !(letters || pictures)
        }
        // A digit becomes a key by it, and what is drawn as a key stands behind.
        '\u{FE0F}' if is(before, |c| c.is_ascii()) => {
            !(is(before, UnicodeEmoji::is_emoji_char) && next == Some('\u{20E3}'))
        }
        '\u{FE0E}' | '\u{FE0F}' => !is(before, |c| !c.is_ascii() && c.is_emoji_char()),
        '\u{E0100}'..='\u{E01EF}' => !is(before, is_ideograph),
        // What puts the next letter below the one before.
        '\u{1039}' | '\u{17D2}' | '\u{1A60}' | '\u{AAF6}' | '\u{10A3F}' | '\u{11133}' | '\u{113D0}'
        | '\u{1193E}' | '\u{11A47}' | '\u{11A99}' | '\u{11D45}' | '\u{11D97}' | '\u{11F42}' => {
            let near = |other: char| u32::from(other).abs_diff(u32::from(c)) < 0x100;
            !(before.is_some_and(near) && next.is_some_and(|next| near(next) && next.is_alphanumeric()))
        }
        // What is drawn over the letters behind it, or changes the sign before it.
        '\u{070F}' => !is(next, |c| matches!(c, '\u{0710}'..='\u{074F}')),
        '\u{1BC9D}' => !is(before, |c| matches!(c, '\u{1BC00}'..='\u{1BC99}')),
        '\u{13440}' | '\u{13447}'..='\u{13455}' => {
            !is(before, |c| matches!(c, '\u{13000}'..='\u{1342F}' | '\u{13440}' | '\u{13443}'..='\u{143FF}'))
        }
        '\u{1DA9B}'..='\u{1DAAF}' => !is(before, |c| matches!(c, '\u{1D800}'..='\u{1DAAF}')) || never_seen(c),
        _ => never_seen(c),
    }
}

const BLACK_FLAG: char = '\u{1F3F4}';

/// How many bytes of tags make the black flag before them that of a part of a country: of England, Scotland or Wales. No
/// other is recommended for interchange, and whoever cannot draw one shows the black flag alone.
fn flag_tags(rest: &str) -> Option<usize> {
    ["gbeng", "gbsct", "gbwls"].into_iter().find_map(|part| {
        let tags = part.chars().filter_map(|c| char::from_u32(0xE0000 + u32::from(c)));
        let whole: String = tags.chain(['\u{E007F}']).collect();
        rest.starts_with(&whole).then_some(whole.len())
    })
}

/// Whether a character is part of a word in a script whose letters take another form beside each other, which joiners
/// choose: Arabic and its kin, the scripts of India, Burma, Cambodia, Java, Mongolian. No alphabet of Europe, and not
/// Chinese, Japanese or Korean.
fn is_shaped(c: char) -> bool {
    let script = matches!(
        c,
        '\u{0600}'..='\u{0DFF}' | '\u{1000}'..='\u{109F}' | '\u{1700}'..='\u{18AF}' | '\u{1900}'..='\u{194F}'
            | '\u{1A00}'..='\u{1C4F}' | '\u{1CD0}'..='\u{1CFF}' | '\u{A800}'..='\u{A82F}' | '\u{A840}'..='\u{A8FF}'
            | '\u{A930}'..='\u{A95F}' | '\u{A980}'..='\u{AA7F}' | '\u{AAE0}'..='\u{AAFF}' | '\u{ABC0}'..='\u{ABFF}'
            | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}' | '\u{10A00}'..='\u{10A5F}' | '\u{10AC0}'..='\u{10AFF}'
            | '\u{10B80}'..='\u{10BAF}' | '\u{10D00}'..='\u{10D3F}' | '\u{10F30}'..='\u{10FDF}'
            | '\u{11000}'..='\u{11FAF}' | '\u{1E900}'..='\u{1E95F}'
    );
    let word =
        matches!(c.general_category_group(), GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark);
    script && word && !never_seen(c)
}

/// Whether a character is a picture, which others may be joined to.
fn is_picture(c: char) -> bool {
    c >= '\u{2000}' && c.is_emoji_char()
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFD}')
        && !never_seen(c)
}

/// What shows nowhere: by its general category where that says so, so that what a later Unicode adds is judged with the
/// tables of `unicode-properties`, and by name where no category tells.
fn never_seen(c: char) -> bool {
    match c.general_category() {
        // Noncharacters are unassigned, too.
        GeneralCategory::Control
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator
        | GeneralCategory::PrivateUse
        | GeneralCategory::Surrogate
        | GeneralCategory::Unassigned => true,
        // All but those that are drawn around or over what follows (`Prepended_Concatenation_Mark`).
        GeneralCategory::Format => !matches!(
            c,
            '\u{0600}'
                ..='\u{0605}'
                    | '\u{06DD}'
                    | '\u{070F}'
                    | '\u{0890}'
                    | '\u{0891}'
                    | '\u{08E2}'
                    | '\u{110BD}'
                    | '\u{110CD}'
        ),
        _ => matches!(
            c,
            // The rest of `Default_Ignorable_Code_Point`: joiner of graphemes, fillers of Hangul, vowels of Khmer that
            // nobody writes, selectors of variants.
            '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{3164}'
                | '\u{FE00}'..='\u{FE0F}' | '\u{FFA0}' | '\u{E0100}'..='\u{E01EF}'
                // Drawn as nothing, although it is a letter, a mark or a symbol: blank Braille, the place of an object,
                // joiner of Brahmi numbers, blank hieroglyphs, filler of Khitan, a note without a head.
                | '\u{2800}' | '\u{FFFC}' | '\u{1107F}' | '\u{13441}' | '\u{13442}' | '\u{16FE4}' | '\u{1D159}'
        ),
    }
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
            "\u{1F575}\u{1F3FD}\u{200D}\u{2642}\u{FE0F}",
            "\u{1F1E9}\u{1F1EA}",
            "\u{d9a}\u{dca}\u{200D}\u{dbb}",
            "\u{1781}\u{17d2}\u{1798}\u{17c2}\u{179a}",
            "\u{1004}\u{103a}\u{1039}\u{1002}",
            "\u{70f}\u{710}\u{712}",
            "\u{600}\u{661}",
            "\u{13000}\u{13440}",
            // England, Scotland, Wales.
            "\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
            "a \u{1F3F4}\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F} b",
            "\u{1F3F4}\u{E0067}\u{E0062}\u{E0077}\u{E006C}\u{E0073}\u{E007F}",
            "\u{1F3F4}\u{200D}\u{2620}\u{FE0F}",
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
            // Marks, letters and symbols that are drawn as nothing.
            "a\u{1107F}",
            "\u{11052}\u{1107F}\u{11053}",
            "a\u{16FE4}",
            "a\u{2800}",
            "a\u{1D159}",
            "a\u{13441}b",
            "a\u{13442}b",
            "a\u{13440}",
            "a\u{13447}",
            "a\u{1BC9D}",
            "a\u{1DA9B}",
            "a\u{3164}",
            "a\u{FFA0}",
            "a\u{17B4}",
            // What nobody has given a meaning to.
            "a\u{378}",
            "a\u{2FE0}",
            "a\u{1FBFF}",
            "a\u{40000}",
            "a\u{E0FFF}",
            "a\u{F0000}",
            "a\u{10FFFF}",
            // What means something elsewhere.
            "North\u{17D2}",
            "a\u{1039}b",
            "\u{1781}\u{17d2}",
            "Nort\u{70F}h",
            "1\u{FE0F}",
            "a\u{FE0F}\u{20E3}",
            "\u{2764}\u{FE0F}\u{FE0F}",
            "\u{2014}\u{FE0F}",
            "1\u{200D}2",
            "\u{65e5}\u{200D}\u{672c}",
            "\u{d55c}\u{200C}\u{ae00}",
            "\u{1F469}\u{200C}\u{2695}",
            // Flags that are none: of Texas, without an end, without a flag, with a letter too many, of nothing.
            "\u{1F3F4}\u{E0075}\u{E0073}\u{E0074}\u{E0078}\u{E007F}",
            "\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}",
            "\u{1F3F3}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
            "\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E0061}\u{E007F}",
            "\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}\u{E007F}",
            "\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}\u{FE0F}",
            "\u{1F3F4}\u{E007F}",
        ] {
            assert!(hidden_character(text).is_some(), "{text:?}");
        }
    }

    /// Every `Default_Ignorable_Code_Point` of Unicode 18: what a category tells of it, and what the list names.
    #[test]
    fn nothing_that_may_be_ignored_is_seen_behind_a_letter() {
        let ignorable = [
            0xAD..=0xAD,
            0x34F..=0x34F,
            0x61C..=0x61C,
            0x115F..=0x1160,
            0x17B4..=0x17B5,
            0x180B..=0x180F,
            0x200B..=0x200F,
            0x202A..=0x202E,
            0x2060..=0x206F,
            0x3164..=0x3164,
            0xFE00..=0xFE0F,
            0xFEFF..=0xFEFF,
            0xFFA0..=0xFFA0,
            0xFFF0..=0xFFF8,
            0x1BCA0..=0x1BCA3,
            0x1D173..=0x1D17A,
            0xE0000..=0xE0FFF,
        ];
        for c in ignorable.into_iter().flatten().filter_map(char::from_u32) {
            assert_eq!(hidden_character(&format!("a{c}")), Some(c), "U+{:04X}", u32::from(c));
        }
        let assigned =
            ('\u{20}'..=char::MAX).filter(|c| hidden_character(&format!("a{c}b")).is_none()).count();
        assert!((150_000..200_000).contains(&assigned), "{assigned} characters are seen");
    }
}
