//! A pipeline in Terraform's language: a whole root module, in one file.

use hcl::{Block, Expression};

use self::writing::Section;
use super::{EXPORTED_SECRET, ExportError, MAKE_SECRET, Page};
use crate::foreign;
use crate::spec::Spec;

mod writing;

pub(crate) use writing::{block, call, local, reference, references, resource, template};

/// A part of the module, by which its text is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chapter {
    Bucket,
    UsersBucket,
    Stream,
    Catalog,
    Delivery,
    Function,
    Webhook,
    Stage,
    Monitoring,
}

impl Chapter {
    fn about(self) -> &'static str {
        match self {
            Self::Bucket => "The bucket that impressions end in.",
            Self::UsersBucket => "The bucket that impressions end in. It is yours, and only written to.",
            Self::Stream => "The stream that carries impressions from the function to the delivery stream.",
            Self::Catalog => {
                "The table of what is delivered: what the delivery stream converts by, and what queries are about."
            }
            Self::Delivery => "The delivery into the bucket, its role, and where it logs its errors.",
            Self::Function => "The function that takes Split's batches, its role, and where it logs.",
            Self::Webhook => "The REST API: one path, one method, everything else is refused.",
            Self::Stage => {
                "The stage opens the webhook. It waits for the delivery stream: what the stream takes before that is active, it \
                 never\n# delivers."
            }
            Self::Monitoring => "What watches over the pipeline.",
        }
    }
}

pub fn text(page: &Page<'_>, resources: &[(Chapter, Vec<Block>)]) -> Result<String, ExportError> {
    let mut text = head(page);
    let mut write = |section: Section| -> Result<(), ExportError> {
        text.push('\n');
        text += &section.text()?;
        Ok(())
    };
    write(settings(page))?;
    let mut chapters: Vec<_> = resources.iter().map(|(chapter, _)| *chapter).collect();
    chapters.sort_unstable();
    chapters.dedup();
    for chapter in chapters {
        let blocks = resources.iter().filter(|(of, _)| *of == chapter);
        let blocks: Vec<_> = blocks.flat_map(|(_, blocks)| blocks.clone()).collect();
        if !blocks.is_empty() {
            write(Section::new(chapter.about(), blocks))?;
        }
    }
    write(output(page))?;
    Ok(foreign::hcl(&text))
}

fn head(page: &Page<'_>) -> String {
    let zip = &page.zip;
    let (secret, kept) = if page.path.is_none() {
        (
            format!(
                "#   export TF_VAR_secret_path=$({MAKE_SECRET})   # keep it: with another one, the URL is another one\n"
            ),
            " Terraform's state holds the secret path.",
        )
    } else {
        (String::new(), "")
    };
    let mut head = format!(
        "# The pipeline {name}, as `split-pipeline up` makes it in {region} of the account {account}.\n#\n\
         #   split-pipeline build                                # writes {zip}\n{secret}\
         #   terraform init && terraform apply\n\
         #   terraform output -raw webhook_url                   # paste it into Split\n#\n\
         # Everything is tagged managed-by=terraform, so `split-pipeline up` and `down` take it for somebody else's and leave\n\
         # it alone.{kept}\n",
        name = page.spec.name,
        region = page.names.region(),
        account = page.names.account(),
    );
    head += &moving(page);
    if page.spec.webhook.access_log {
        head += "#\n# The access log needs a role that API Gateway has once for the account and region, and that is not in here: see\n\
                 # aws_api_gateway_account.\n";
    }
    head
}

/// How a pipeline that is there gets into Terraform's hands.
fn moving(page: &Page<'_>) -> String {
    let data = if page.spec.delivery.existing_bucket {
        " your bucket. Then apply.".to_owned()
    } else {
        format!(
            " the bucket, with every impression in it. Then let\n\
             # Terraform take the bucket over, and apply:\n#\n\
             #   import {{\n#     to = aws_s3_bucket.impressions\n#     id = \"{}\"\n#   }}\n#\n\
             # `terraform destroy` deletes the bucket only if it is empty.",
            page.names.bucket(page.spec)
        )
    };
    format!(
        "#\n# The names are those that `up` gives, so the two cannot stand side by side. To move a pipeline that `up` made:\n\
         # `split-pipeline down` delivers what is on its way and deletes everything but{data} The URL is a new one, and what Split\n\
         # posts before you paste it there is lost.\n"
    )
}

fn settings(page: &Page<'_>) -> Section {
    let aws = [("source", "hashicorp/aws"), ("version", ">= 5.100.0")];
    let providers = block("required_providers", [("aws", Expression::from_iter(aws))]);
    let terraform =
        Block::builder("terraform").add_attribute(("required_version", ">= 1.5.0")).add_block(providers);
    let provider = Block::builder("provider").add_label("aws");
    let provider = provider.add_attribute(("region", page.names.region()));
    let zip = &page.zip;
    let mut blocks = vec![
        terraform.build(),
        provider.build(),
        variable("handler_zip", "The deployment zip of the handler, which `split-pipeline build` writes.")
            .add_attribute(("default", zip.as_str()))
            .build(),
    ];
    blocks.extend(page.path.is_none().then(secret_path));
    let tags = page.tags_of("terraform");
    blocks.push(block("locals", [("tags", Expression::from_iter(tags))]));
    Section::new("Settings.", blocks)
}

fn variable(name: &str, description: &str) -> hcl::structure::BlockBuilder {
    Block::builder("variable")
        .add_label(name)
        .add_attribute(("type", reference("string")))
        .add_attribute(("description", description))
}

fn secret_path() -> Block {
    let long_enough = block(
        "validation",
        [
            ("condition", reference(format!("can(regex(\"^{EXPORTED_SECRET}$\", var.secret_path))"))),
            ("error_message", "It must be unguessable: 16 or more of 0-9, A-Z, a-z, _ and -.".into()),
        ],
    );
    variable("secret_path", "The last part of the webhook's URL, which keeps everybody but Split out.")
        .add_attribute(("sensitive", true))
        .add_block(long_enough)
        .build()
}

fn output(page: &Page<'_>) -> Section {
    let stage = "${aws_api_gateway_stage.webhook.invoke_url}";
    let url = match page.path {
        None => format!("{stage}/${{var.secret_path}}"),
        Some(path) => format!("{stage}/{path}"),
    };
    let output = Block::builder("output")
        .add_label("webhook_url")
        .add_attribute(("description", "The URL to paste into Split."))
        .add_attribute(("value", template(url)))
        .add_attributes(page.path.is_none().then_some(("sensitive", true)));
    Section::new("The result.", [output.build()])
}

/// What keeps data from being deleted, where the spec protects the pipeline.
pub(crate) fn kept(spec: &Spec) -> Option<Block> {
    spec.protect.then(|| block("lifecycle", [("prevent_destroy", true.into())]))
}
