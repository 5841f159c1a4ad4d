//! Sentinel colours and the pass that turns them into CSS classes.

use plotters::style::RGBColor;

/// A role of colour; the style sheet decides what it looks like in light, dark and print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Labels.
    Text,
    /// Lines behind the data.
    Grid,
    /// The main line.
    Accent,
    /// The area under the main line.
    Wash,
    /// Something good.
    Good,
    /// Something to watch.
    Warn,
    /// Something bad.
    Bad,
    /// Neither.
    Calm,
    /// A faint good background.
    GoodZone,
    /// A faint background to watch.
    WarnZone,
    /// A faint bad background.
    BadZone,
    /// A reference to compare with.
    Rival,
    /// How sure a point is.
    Whisker,
}

const INKS: [(Ink, &str); 13] = [
    (Ink::Text, "i-text"),
    (Ink::Grid, "i-grid"),
    (Ink::Accent, "i-accent"),
    (Ink::Wash, "i-wash"),
    (Ink::Good, "i-good"),
    (Ink::Warn, "i-warn"),
    (Ink::Bad, "i-bad"),
    (Ink::Calm, "i-calm"),
    (Ink::GoodZone, "i-goodz"),
    (Ink::WarnZone, "i-warnz"),
    (Ink::BadZone, "i-badz"),
    (Ink::Rival, "i-rival"),
    (Ink::Whisker, "i-whisker"),
];

impl Ink {
    /// The sentinel that `plotters` draws with: pure blue, whose shade is the position in the table.
    pub(crate) fn color(self) -> RGBColor {
        RGBColor(0, 0, self as u8)
    }

    fn class(sentinel: &str) -> &'static str {
        let shade = sentinel.strip_prefix("#0000").and_then(|hex| usize::from_str_radix(hex, 16).ok());
        shade.and_then(|i| INKS.get(i)).map_or("i-text", |(_, class)| *class)
    }
}

/// Appends `<name>text</name>` with the text escaped.
pub(super) fn element(out: &mut String, name: &str, text: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Rewrites the body of a drawing: sentinel colours become classes, defaults are dropped, shapes take short forms.
///
/// Without `classes` not even those are written: the outer element's class is enough for a sparkline.
///
/// It reads the exact dialect of the SVG back end: one tag after another, double-quoted attributes, text escaped.
pub(super) fn restyle(raw: &str, out: &mut String, classes: bool) {
    let mut rest = raw;
    while let Some(open) = rest.find('<') {
        let text = rest[..open].trim();
        out.push_str(text);
        let Some(close) = rest[open..].find('>') else { return };
        let tag = &rest[open + 1..open + close];
        rest = &rest[open + close + 1..];
        let name = tag.split([' ', '/']).find(|s| !s.is_empty()).unwrap_or("");
        match name {
            "svg" => {}
            "text" if tag.starts_with('/') => out.push_str("</text>"),
            _ => rewrite(name, tag, out, classes),
        }
    }
}

fn rewrite(name: &str, tag: &str, out: &mut String, classes: bool) {
    let closed = tag.ends_with('/');
    let mut class = "";
    let mut stroked = false;
    let mut kept: Vec<(&str, &str)> = Vec::with_capacity(8);
    for (key, value) in attributes(&tag[name.len()..]) {
        match (key, value) {
            ("fill" | "stroke", v) if v.starts_with('#') => {
                class = Ink::class(v);
                stroked |= key == "stroke";
            }
            ("fill" | "stroke" | "font-family" | "font-size", _) | ("opacity", "1") | ("stroke-width", "1") => {}
            ("text-anchor", "start") => {}
            ("stroke-width", _) if !classes => {}
            (key, value) => kept.push((key, value)),
        }
    }
    out.push('<');
    out.push_str(name);
    if classes {
        out.push_str(" class=\"");
        out.push_str(class);
        out.push_str(if stroked { " l\"" } else { "\"" });
    }
    for (key, value) in kept {
        out.push(' ');
        out.push_str(key);
        out.push_str("=\"");
        out.push_str(value.trim_end());
        out.push('"');
    }
    out.push_str(if closed { "/>" } else { ">" });
}

fn attributes(tag: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = tag;
    std::iter::from_fn(move || {
        let equals = rest.find("=\"")?;
        let key = rest[..equals].trim();
        let value = &rest[equals + 2..];
        let end = value.find('"')?;
        rest = &value[end + 1..];
        Some((key, &value[..end]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ink_finds_its_class() {
        for (i, (ink, class)) in INKS.iter().enumerate() {
            assert_eq!(*ink as usize, i);
            let color = ink.color();
            assert_eq!(Ink::class(&format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2)), *class);
        }
    }

    #[test]
    fn colours_become_classes_and_defaults_go() {
        let mut out = String::new();
        restyle(
            "<svg width=\"9\" height=\"9\">\n<line opacity=\"1\" stroke=\"#000001\" stroke-width=\"1\" x1=\"0\"/>\n\
             <text x=\"1\" opacity=\"1\" text-anchor=\"end\" fill=\"#000000\">\na &lt; b\n</text>\n</svg>\n",
            &mut out,
            true,
        );
        assert_eq!(out, "<line class=\"i-grid l\" x1=\"0\"/><text class=\"i-text\" x=\"1\" text-anchor=\"end\">a &lt; b</text>");
    }
}
