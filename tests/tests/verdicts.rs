//! Every command says of every container what the manifest has of it: `inspect`, `snapshot` and `verify` of GGUF files,
//! `convert` of safetensors files too.

use briq_tests::fixtures::Manifest;
use briq_tests::{Folder, verdict};

#[test]
fn every_command_has_the_right_verdict_on_every_container() {
    let manifest = Manifest::read();
    let mut wrong = Vec::new();
    for folder in ["container", "malformed"] {
        for (name, file) in manifest.folder(folder) {
            let alone = Folder::with(&format!("{folder}/{name}"), name);
            for command in verdict::commands(name) {
                wrong.extend(verdict::judge(&alone, file, &command).err());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
