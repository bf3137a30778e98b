//! stub
use super::{ExportError, Pipeline};
pub(super) fn text(_pipeline: &Pipeline<'_>) -> Result<String, ExportError> {
    Ok(String::new())
}
