//! JSON as lines with colours: indents what was sent without changing it. Numbers keep their digits, objects their
//! order, and text that is not JSON stays as it is.

/// What a piece of text is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// Brackets, commas, colons.
    Punctuation,
    /// An object's key.
    Key,
    /// A string.
    Text,
    /// A number.
    Number,
    /// `true`, `false`, `null`.
    Word,
    /// Anything else.
    Plain,
}

/// One line: pieces of text with what they are.
pub(super) type Line = Vec<(Piece, String)>;

/// The most characters on one line; longer ones go on in the next, so that no line is costly to lay out.
const LINE: usize = 200;
/// Deeper levels are indented no further.
const DEEPEST: usize = 40;

/// Lines of indented JSON. Call it with text that begins like JSON; it may be cut off anywhere.
pub(super) fn json_lines(text: &str) -> Vec<Line> {
    let mut lines = Lines::default();
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '{' | '[' | '}' | ']' | ',' | ':' => 1,
            _ if first.is_whitespace() => first.len_utf8(),
            _ => rest.find(|c: char| c.is_whitespace() || "{}[],:\"".contains(c)).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        let follows = after.trim_start();
        match first {
            '{' | '[' => {
                lines.push(Piece::Punctuation, token);
                let closing = if first == '{' { '}' } else { ']' };
                depth += 1;
                if follows.starts_with(closing) {
                    depth -= 1;
                    lines.push(Piece::Punctuation, closing.encode_utf8(&mut [0; 4]));
                    rest = &follows[1..];
                    continue;
                }
                lines.end(depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                lines.end(depth);
                lines.push(Piece::Punctuation, token);
            }
            ',' => {
                lines.push(Piece::Punctuation, token);
                lines.end(depth);
            }
            ':' => lines.push(Piece::Punctuation, ": "),
            '"' if follows.starts_with(':') => lines.push(Piece::Key, token),
            '"' => lines.push(Piece::Text, token),
            _ if first.is_whitespace() => {}
            _ => lines.push(word(token), token),
        }
        rest = after;
    }
    lines.finish()
}

/// Lines of text as it is.
pub(super) fn plain_lines(text: &str) -> Vec<Line> {
    let mut lines = Lines::default();
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            lines.end(0);
        }
        lines.push(Piece::Plain, line);
    }
    lines.finish()
}

/// Bytes of the string literal that `text` begins with, or all of it when it never ends.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn word(token: &str) -> Piece {
    match token {
        "true" | "false" | "null" => Piece::Word,
        _ if token.starts_with(|c: char| c.is_ascii_digit() || c == '-') => Piece::Number,
        _ => Piece::Plain,
    }
}

#[derive(Default)]
struct Lines {
    done: Vec<Line>,
    current: Line,
    characters: usize,
}

impl Lines {
    fn push(&mut self, piece: Piece, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            if self.characters >= LINE {
                self.done.push(std::mem::take(&mut self.current));
                self.characters = 0;
            }
            let room = LINE - self.characters;
            let cut = rest.char_indices().nth(room).map_or(rest.len(), |(at, _)| at);
            let (now, later) = rest.split_at(cut);
            self.characters += now.chars().count();
            // A tab or a control character would break the layout of the line.
            let clean = now.chars().map(|c| {
                if c == '\t' {
                    ' '
                } else if c.is_control() {
                    '·'
                } else {
                    c
                }
            });
            self.current.push((piece, clean.collect()));
            rest = later;
        }
    }

    fn end(&mut self, depth: usize) {
        self.done.push(std::mem::take(&mut self.current));
        let indent = depth.min(DEEPEST) * 2;
        self.characters = indent;
        if indent > 0 {
            self.current.push((Piece::Punctuation, " ".repeat(indent)));
        }
    }

    fn finish(mut self) -> Vec<Line> {
        if !self.current.is_empty() {
            self.done.push(self.current);
        }
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[Line]) -> String {
        lines
            .iter()
            .map(|line| line.iter().map(|(_, text)| text.as_str()).collect::<String>())
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn json_is_indented_and_keeps_its_order_and_digits() {
        let lines = json_lines(r#"{"z":1.50,"a":[true,null,{}],"s":"a\"b, {c}: d"}"#);
        let wanted = "{\n  \"z\": 1.50,\n  \"a\": [\n    true,\n    null,\n    {}\n  ],\n  \"s\": \"a\\\"b, {c}: d\"\n}";
        assert_eq!(text(&lines), wanted);
        assert_eq!(lines[1][1].0, Piece::Key);
        assert_eq!(lines[1][3], (Piece::Number, "1.50".to_owned()));
        assert_eq!(lines[7][3].0, Piece::Text);
    }

    #[test]
    fn json_cut_off_anywhere_is_still_laid_out() {
        let whole = r#"{"key":["é",{"n":-1e9}],"x":"y"}"#;
        for (end, _) in whole.char_indices() {
            let _ = json_lines(&whole[..end]);
        }
        assert_eq!(text(&json_lines("}}]")), "\n}\n}\n]");
    }

    #[test]
    fn one_endless_line_is_broken_up() {
        for lines in [plain_lines(&"é".repeat(1_000)), json_lines(&format!("\"{}\"", "x".repeat(1_000)))] {
            assert!(lines.len() >= 5);
            for line in &lines {
                let characters: usize = line.iter().map(|(_, text)| text.chars().count()).sum();
                assert!(characters <= LINE);
            }
        }
    }
}
