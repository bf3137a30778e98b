//! Embeds built handlers: with `SPLIT_PIPELINE_EMBED=DIR`, the deployment zips `handler-x86_64.zip` and
//! `handler-arm64.zip` that are in that directory become part of the program, so that `up` needs no Rust toolchain.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SPLIT_PIPELINE_EMBED");
    let directory = env::var_os("SPLIT_PIPELINE_EMBED").map(PathBuf::from);
    let mut code = String::new();
    let mut found = 0;
    for architecture in ["x86_64", "arm64"] {
        let zip = directory
            .as_ref()
            .map(|directory| directory.join(format!("handler-{architecture}.zip")))
            .filter(|zip| zip.exists());
        found += usize::from(zip.is_some());
        code += &constant(architecture, zip.as_deref())?;
    }
    if let Some(directory) = directory.filter(|_| found == 0) {
        let directory = directory.display();
        return Err(format!(
            "SPLIT_PIPELINE_EMBED: {directory} has no handler-x86_64.zip or handler-arm64.zip"
        )
        .into());
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("embedded.rs"), code)?;
    Ok(())
}

fn constant(architecture: &str, zip: Option<&Path>) -> Result<String, Box<dyn Error>> {
    let value = match zip {
        None => "None".to_owned(),
        Some(zip) => {
            let zip = fs::canonicalize(zip)?;
            println!("cargo::rerun-if-changed={}", zip.display());
            let path = zip.to_str().ok_or("SPLIT_PIPELINE_EMBED: the path is not UTF-8")?;
            format!("Some(include_bytes!({path:?}))")
        }
    };
    let name = architecture.to_uppercase();
    Ok(format!("const {name}: Option<&[u8]> = {value};\n"))
}
