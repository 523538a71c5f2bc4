//! The committed diagrams equal those generated from the system.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use diagrams::render;

/// The names of the files in docs/diagrams with this extension.
fn committed(extension: &str) -> BTreeMap<String, String> {
    let folder = render::folder(&template::project());
    let files = fs::read_dir(folder).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_stem()?.to_str()?.to_owned();
        (path.extension()? == extension).then(|| (name, fs::read_to_string(&path).unwrap()))
    });
    files.collect()
}

const RENEW: &str = "run `cargo xtask diagrams`, look at what it draws, and commit it";

#[tokio::test]
async fn every_diagram_is_up_to_date() {
    let (committed, drawn) = (committed("puml"), diagrams::sources().await.unwrap());
    let names = |of: &BTreeMap<String, String>| of.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(
        names(&committed),
        names(&drawn),
        "left: docs/diagrams, right: what there is to draw; {RENEW}"
    );
    for (name, source) in &drawn {
        let there = &committed[name];
        let differences = diagrams::differences(there, source);
        assert!(
            there == source,
            "docs/diagrams/{name}.puml (-) differs from the generated one (+); {RENEW}\n{differences}"
        );
    }
}

#[test]
fn every_picture_is_rendered_from_its_source() {
    let (sources, pictures) = (committed("puml"), committed("svg"));
    assert!(sources.keys().eq(pictures.keys()), "{RENEW}");
    for (name, source) in &sources {
        assert!(
            render::is_of(&pictures[name], source),
            "docs/diagrams/{name}.svg is of another source; {RENEW}"
        );
    }
}
