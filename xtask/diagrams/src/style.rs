//! How every diagram looks: one font, one palette, one legend.

use std::fmt::Write as _;

/// A colour of the palette, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colour {
    /// The sheet that the diagram is drawn on.
    Sheet,
    /// Letters.
    Text,
    /// Lines, arrows and the edges of boxes.
    Line,
    /// What other things stand in.
    Group,
    /// A function: what Lambda runs.
    Function,
    /// Our own code besides the functions.
    Library,
    /// Where data is kept.
    Store,
    /// What AWS brings: the gateway, the network, what is watched.
    Platform,
    /// What others wrote.
    External,
    /// Something that went wrong.
    Fault,
}

impl Colour {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::Sheet,
        Self::Text,
        Self::Line,
        Self::Group,
        Self::Function,
        Self::Library,
        Self::Store,
        Self::Platform,
        Self::External,
        Self::Fault,
    ];

    /// As it is on a light page.
    #[must_use]
    pub fn light(self) -> &'static str {
        match self {
            Self::Sheet => "#FFFFFF",
            Self::Text => "#1F2933",
            Self::Line => "#475569",
            Self::Group => "#F6F8FA",
            Self::Function => "#DCEBFA",
            Self::Library => "#E3F2E6",
            Self::Store => "#FBEFD0",
            Self::Platform => "#ECE6F8",
            Self::External => "#EBEDF0",
            Self::Fault => "#B3261E",
        }
    }

    /// As it is on a dark page.
    #[must_use]
    pub fn dark(self) -> &'static str {
        match self {
            Self::Sheet => "#15191C",
            Self::Text => "#E4E9ED",
            Self::Line => "#9AABBB",
            Self::Group => "#1C2227",
            Self::Function => "#1D3A57",
            Self::Library => "#1F4029",
            Self::Store => "#4C3B12",
            Self::Platform => "#3A2F57",
            Self::External => "#30373D",
            Self::Fault => "#FF8F85",
        }
    }
}

/// What an entry of the legend is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Boxes of a colour.
    Box(Colour),
    /// A line, written as it looks.
    Line(&'static str),
}

/// The beginning of a diagram: its name, its title, and the look of all of them.
#[must_use]
pub fn begin(name: &str, title: &str) -> String {
    let [sheet, text, line, group, function, store, external] = [
        Colour::Sheet,
        Colour::Text,
        Colour::Line,
        Colour::Group,
        Colour::Function,
        Colour::Store,
        Colour::External,
    ]
    .map(Colour::light);
    format!(
        "@startuml {name}\n\
         ' Made by `cargo xtask diagrams`: change what it is made from, not this.\n\
         title {title}\n\
         <style>\n\
         root {{\n  FontName DejaVu Sans\n  FontSize 13\n  FontColor {text}\n  LineColor {line}\n  LineThickness 1\n  Shadowing 0\n  RoundCorner 0\n}}\n\
         document {{\n  title {{\n    FontSize 17\n    FontStyle bold\n    LineThickness 0\n    Margin 0 0 14 0\n  }}\n}}\n\
         legend {{\n  FontSize 12\n  BackGroundColor {sheet}\n  LineColor {line}\n  Margin 14 0 0 0\n}}\n\
         note {{\n  BackGroundColor {group}\n  FontSize 11\n}}\n\
         arrow {{\n  FontSize 11\n  LineColor {line}\n}}\n\
         component {{\n  BackGroundColor {function}\n}}\n\
         database {{\n  BackGroundColor {store}\n}}\n\
         activityDiagram {{\n  diamond {{\n    BackGroundColor {external}\n  }}\n}}\n\
         folder {{\n  BackGroundColor {external}\n}}\n\
         artifact {{\n  BackGroundColor {sheet}\n}}\n\
         actor {{\n  BackGroundColor {sheet}\n}}\n\
         node {{\n  BackGroundColor {group}\n}}\n\
         package {{\n  BackGroundColor {group}\n  FontStyle bold\n}}\n\
         interface {{\n  BackGroundColor {sheet}\n  FontSize 12\n}}\n\
         </style>\n\
         skinparam backgroundColor {sheet}\n\
         skinparam componentStyle uml2\n\
         skinparam wrapWidth 260\n",
    )
}

/// The end of a diagram, with the legend of what is in it.
#[must_use]
pub fn end(legend: &[(Sign, &str)]) -> String {
    let mut text = String::new();
    if !legend.is_empty() {
        let sheet = Colour::Sheet.light();
        text.push_str("legend\n");
        for (row, (sign, meaning)) in legend.iter().enumerate() {
            // The first row says for all of them that there are no lines.
            let look = if row == 0 {
                format!("<{sheet},{sheet}>")
            } else {
                String::new()
            };
            let sign = match sign {
                Sign::Box(colour) => {
                    format!("<#{}>        ", colour.light().trim_start_matches('#'))
                }
                Sign::Line(line) => format!(" <b>{line}</b> "),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{look}|{sign}| {meaning} |");
        }
        text.push_str("endlegend\n");
    }
    text.push_str("@enduml\n");
    text
}

/// A name that PlantUML takes for one thing: `mysqldata`, `health_docs`.
#[must_use]
pub fn alias(kind: &str, name: &str) -> String {
    let mut alias = format!("{kind}_");
    alias.extend(
        name.chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }),
    );
    alias
}

/// The words in lines of at most so many letters, as PlantUML breaks them.
#[must_use]
pub fn wrapped<'w>(
    words: impl IntoIterator<Item = &'w str>,
    between: &str,
    width: usize,
) -> String {
    let mut lines = vec![String::new()];
    for word in words {
        if let Some(line) = lines.last_mut() {
            if line.is_empty() {
                line.push_str(word);
            } else if line.chars().count() + between.len() + word.chars().count() <= width {
                line.push_str(between);
                line.push_str(word);
            } else {
                lines.push(word.to_owned());
            }
        }
    }
    lines.join("\\n")
}
