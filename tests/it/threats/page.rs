//! A tab played by hand: what the page's own script sends, from a program of the same user.

use super::*;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

/// A `$BROWSER` that writes down the address that it is given.
pub(super) fn noting_browser(folder: &Path) -> (String, PathBuf) {
    std::fs::create_dir_all(folder).expect("a folder");
    let (script, link) = (folder.join("browser.sh"), folder.join("link"));
    // It stays for a while with the address among its words, as a browser does.
    let text = format!(
        "#!/bin/sh\nprintf %s \"$1\" > '{0}.new' && mv '{0}.new' '{0}'\nsleep 15\n",
        link.display()
    );
    std::fs::write(&script, text).expect("a script");
    (format!("sh {}", script.display()), link)
}

/// The address that the browser was given; each is given out once.
pub(super) async fn link(file: &Path) -> String {
    let link = until("the page", async || std::fs::read_to_string(file).ok()).await;
    std::fs::remove_file(file).expect("taken");
    link
}

/// A tab that has opened the link.
#[derive(Clone)]
pub(super) struct Tab {
    port: u16,
    session: String,
}

impl Tab {
    pub(super) fn open(link: &str) -> Self {
        let (address, token) = link.split_once("/#").expect("a link with a secret");
        let port = address
            .rsplit_once(':')
            .expect("a port")
            .1
            .parse()
            .expect("a number");
        let mut tab = Self {
            port,
            session: String::new(),
        };
        let opened = tab.send("/open", &json!({ "token": token }));
        opened["session"]
            .as_str()
            .unwrap_or_else(|| panic!("{opened}"))
            .clone_into(&mut tab.session);
        tab
    }

    /// Fetches the card, which puts it on the screen; the version that it is.
    pub(super) fn look(&self) -> Value {
        self.send("/state", &json!({ "session": self.session }))["view"]["core"].clone()
    }

    /// Presses Approve.
    pub(super) fn approve(&self, core: &Value) -> Value {
        self.send("/approve", &json!({ "session": self.session, "core": core }))
    }

    fn send(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let host = format!("localhost:{}", self.port);
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        // The page may be gone by now: then there is no answer.
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return Value::Null;
        };
        let mut answer = String::new();
        if stream.write_all(request.as_bytes()).is_err() || stream.read_to_string(&mut answer).is_err() {
            return Value::Null;
        }
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_default()
    }
}
