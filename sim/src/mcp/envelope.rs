//! JSON-RPC messages with ids and params as untouched text, so that ids go back byte for byte.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// One incoming message.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Envelope {
    #[serde(default)]
    jsonrpc: Option<String>,
    #[serde(default)]
    pub(crate) id: Option<Box<RawValue>>,
    #[serde(default)]
    pub(crate) method: Option<String>,
    #[serde(default)]
    pub(crate) params: Option<Box<RawValue>>,
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<Box<RawValue>>,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Request,
    Notification,
    Response,
}

impl Envelope {
    /// Reads one message.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, RpcError> {
        serde_json::from_slice(bytes).map_err(|e| RpcError::new(-32700, format!("Parse error: {e}")))
    }

    pub(crate) fn shape(&self) -> Result<Shape, RpcError> {
        if self.jsonrpc.as_deref() != Some("2.0") {
            return Err(RpcError::new(-32600, "Invalid Request: jsonrpc must be \"2.0\""));
        }
        let id_text = self.id.as_ref().map(|id| id.get());
        match (
            id_text,
            &self.method,
            self.result.is_some() || self.error.is_some(),
        ) {
            (Some(id), Some(_), false)
                if id.starts_with(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) =>
            {
                Ok(Shape::Request)
            }
            (None, Some(_), false) => Ok(Shape::Notification),
            (Some(_), None, true) => Ok(Shape::Response),
            _ => Err(RpcError::new(-32600, "Invalid Request")),
        }
    }

    /// The id as text, `null` where there is none.
    pub(crate) fn id_text(&self) -> &str {
        self.id.as_ref().map_or("null", |id| id.get())
    }

    /// The params as a value; `null` where there are none.
    pub(crate) fn params(&self) -> Value {
        self.params
            .as_ref()
            .and_then(|p| serde_json::from_str(p.get()).ok())
            .unwrap_or(Value::Null)
    }

    /// The result or error of a response, as text.
    pub(crate) fn outcome(&self) -> Option<Box<RawValue>> {
        self.result.clone().or_else(|| self.error.clone())
    }
}

/// A JSON-RPC error.
#[derive(Debug, Clone)]
pub(crate) struct RpcError {
    pub(crate) code: i32,
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
}

impl RpcError {
    pub(crate) fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// The whole response message.
    pub(crate) fn message(&self, id: &str) -> String {
        let mut error = serde_json::json!({"code": self.code, "message": self.message});
        if let (Some(data), Some(members)) = (&self.data, error.as_object_mut()) {
            members.insert("data".into(), data.clone());
        }
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
    }
}

/// A response message around the text of a result.
pub(crate) fn result_message(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// A notification.
pub(crate) fn notification(method: &str, params: &Value) -> String {
    if params.is_null() {
        return format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#);
    }
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kept_as_they_were_written() {
        for id in ["1", "1.0", "1e3", "\"a\\u0041\"", "12345678901234567890123"] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            let envelope = Envelope::parse(text.as_bytes()).unwrap();
            assert_eq!(
                (envelope.shape().unwrap(), envelope.id_text()),
                (Shape::Request, id)
            );
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in [
            "{}",
            r#"{"jsonrpc":"2.0","id":{},"method":"x"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#,
        ] {
            assert!(
                Envelope::parse(text.as_bytes()).unwrap().shape().is_err(),
                "{text}"
            );
        }
        assert!(Envelope::parse(b"{").is_err());
    }
}
