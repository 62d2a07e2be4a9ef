// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

//! HTTPS by rustls: "ADDRESS NAME AUTHORITY.der COUNT" asks for so many pages, each on a connection of its own, and prints
//! the status of each answer.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let mut roots = rustls::RootCertStore::empty();
    let authority = std::fs::read(&words[3]).expect("the authority's file");
    roots.add(&rustls::Certificate(authority)).expect("an authority");
    let config = rustls::ClientConfig::builder().with_safe_defaults().with_root_certificates(roots).with_no_client_auth();
    let config = Arc::new(config);
    for _ in 0..words[4].parse::<u32>().expect("a number") {
        let name = words[2].as_str().try_into().expect("a name");
        let mut connection = rustls::ClientConnection::new(config.clone(), name).expect("a connection");
        let mut socket = TcpStream::connect(&words[1]).expect("a server");
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        write!(stream, "GET / HTTP/1.0\r\nHost: {}\r\n\r\n", words[2]).expect("to send");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        println!("{}", String::from_utf8_lossy(&answer[9..]));
    }
}
