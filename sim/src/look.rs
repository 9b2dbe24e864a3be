//! Looking into JSON values without panicking.

use serde_json::Value;

/// The member at the end of `path`; `null` where there is none.
pub(crate) fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter()
        .try_fold(value, |inner, key| inner.get(key))
        .unwrap_or(&Value::Null)
}
