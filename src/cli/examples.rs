//! The examples below each command's help; a test holds them to the options that there are.

pub(super) const INIT: &str = "\
Examples:
  split-pipeline init
  split-pipeline init pipelines/impressions.yaml";

pub(super) const PLAN: &str = "\
Examples:
  split-pipeline plan
  split-pipeline plan --check --output json   # in CI: exit code 3 if anything would change";

pub(super) const UP: &str = "\
Examples:
  split-pipeline up
  split-pipeline up --local                   # on an emulator, with no AWS account
  URL=$(split-pipeline up --yes)              # in a script: nothing but the URL is printed";

pub(super) const STATUS: &str = "\
Examples:
  split-pipeline status --since 24h
  split-pipeline status --watch";

pub(super) const SMOKE: &str = "\
Examples:
  split-pipeline smoke --count 5000
  split-pipeline smoke --ephemeral --junit smoke.xml
  split-pipeline smoke --local --ephemeral";

pub(super) const DOWN: &str = "\
Examples:
  split-pipeline down
  split-pipeline down --purge-data            # the impressions too";

pub(super) const BUILD: &str = "\
Examples:
  split-pipeline build --arch arm64 --out dist/handler-arm64.zip";

pub(super) const REPLAY: &str = "\
Examples:
  split-pipeline replay --dry-run
  split-pipeline replay --stream --since 2h";

pub(super) const LOGS: &str = "\
Examples:
  split-pipeline logs --since 1h
  split-pipeline logs --follow --output json";

pub(super) const ESTIMATE: &str = "\
Examples:
  split-pipeline estimate --per-second 2000 --environments 3
  split-pipeline estimate --per-day 50000000
  split-pipeline estimate --since 24h         # what the running pipeline receives";

pub(super) const ATHENA: &str = "\
Examples:
  split-pipeline athena > table.sql";

pub(super) const EXPORT: &str = "\
Examples:
  split-pipeline export terraform > main.tf
  split-pipeline export cloudformation > template.json";

pub(super) const ROTATE: &str = "\
Examples:
  split-pipeline rotate                       # then paste the new URL into Split
  split-pipeline rotate --revoke";

pub(super) const PERMISSIONS: &str = "\
Examples:
  split-pipeline permissions > policy.json
  split-pipeline permissions --for status
  split-pipeline permissions --ephemeral      # for `smoke --ephemeral` in CI";

pub(super) const SCHEMA: &str = "\
Examples:
  split-pipeline schema > split-pipeline.schema.json";

pub(super) const LOCAL: &str = "\
Examples:
  split-pipeline local status";

pub(super) const COMPLETIONS: &str = "\
Examples:
  split-pipeline completions bash > ~/.local/share/bash-completion/completions/split-pipeline";

pub(super) const MAN: &str = "\
Examples:
  split-pipeline man up | man -l -";
