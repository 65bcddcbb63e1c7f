//! A rust-libp2p node for the interop tests; ../README.md says how it is driven.

mod echo;
mod node;
mod stream;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

/// What a command may fail with: a sentence.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

pub fn print(line: &Value) {
    println!("{line}");
}

fn option(name: &str, otherwise: &str) -> String {
    let mut args = std::env::args();
    args.find(|a| a == name).and_then(|_| args.next()).unwrap_or(otherwise.into())
}

fn seed(text: &str) -> Result<Vec<u8>, Failure> {
    if text.len() != 64 {
        return Err("--seed wants 64 hex digits".into());
    }
    (0..64).step_by(2).map(|i| Ok(u8::from_str_radix(&text[i..i + 2], 16)?)).collect()
}

async fn run(node: node::Node, asked: Value) {
    let mut answer = match node.run(&asked).await {
        Ok(found) => {
            let mut found = found;
            found["ok"] = json!(true);
            found
        }
        Err(why) => json!({"ok": false, "error": why.to_string()}),
    };
    answer["id"] = asked["id"].clone();
    print(&answer);
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let seed = seed(&option("--seed", ""))?;
    let listen = option("--listen", "/ip4/127.0.0.1/tcp/0").parse()?;
    let node = node::start(seed, listen)?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        tokio::spawn(run(node.clone(), serde_json::from_str(&line)?));
    }
    std::process::exit(0)
}
