//! A parser of arithmetic: `1 + (2 * 3)`.

use std::collections::HashMap;
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Number(f64),
    Name(String),
    Operator(char),
    Open,
    Close,
}

#[derive(Debug)]
pub struct ParseError {
    pub at: usize,
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at {})", self.message, self.at)
    }
}

pub struct Lexer<'a> {
    characters: Peekable<Chars<'a>>,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Self {
        Lexer {
            characters: text.chars().peekable(),
            at: 0,
        }
    }

    fn number(&mut self) -> Result<Token, ParseError> {
        let mut digits = String::new();
        while let Some(&c) = self.characters.peek() {
            if c.is_ascii_digit() || c == '.' {
                digits.push(c);
                self.characters.next();
            } else {
                break;
            }
        }
        digits.parse().map(Token::Number).map_err(|_| ParseError {
            at: self.at,
            message: format!("no number: {digits}"),
        })
    }

    /// The next token; `None` at the end (or before a `)` that closes nothing).
    pub fn token(&mut self) -> Option<Result<Token, ParseError>> {
        let c = *self.characters.peek()?;
        self.at += 1;
        let token = match c {
            '(' => Token::Open,
            ')' => Token::Close,
            '+' | '-' | '*' | '/' => Token::Operator(c),
            '0'..='9' => {
                return Some(self.number());
            }
            _ if c.is_alphabetic() => Token::Name(c.to_string()),
            _ => {
                let message = format!("unexpected {c:?}, not one of {}", r#"")]}""#);
                return Some(Err(ParseError { at: self.at, message }));
            }
        };
        self.characters.next();
        Some(Ok(token))
    }
}

pub fn evaluate(
    tokens: &[Token],
    names: &HashMap<String, f64>,
) -> Option<f64> {
    let mut total = 0.0;
    for token in tokens {
        total += match token {
            Token::Number(value) => *value,
            Token::Name(name) => *names.get(name)?,
            _ => 0.0,
        };
    }
    if total.is_nan() {
        None
    } else {
        Some(total)
    }
}
