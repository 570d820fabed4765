//! Elements as a tree that can be changed anywhere. The module takes DER, and encodes the changed tree with the correct
//! lengths around the change.

use super::Random;

/// One element, or bytes that are no element.
#[derive(Debug, Clone)]
pub enum Node {
    Bytes(u8, Vec<u8>),
    Nodes(u8, Vec<Node>),
    /// A string whose bytes, after a prefix, are elements themselves.
    Wrapped(u8, Vec<u8>, Vec<Node>),
    /// Bytes that are written unchanged.
    Raw(Vec<u8>),
}

fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |value, byte| (value << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (body, rest) = rest.split_at_checked(length)?;
    (tag & 0x1f != 0x1f).then_some((tag, body, rest))
}

fn nodes(mut bytes: &[u8]) -> Option<Vec<Node>> {
    let mut nodes = Vec::new();
    while !bytes.is_empty() {
        let (tag, body, rest) = element(bytes)?;
        bytes = rest;
        let inside = |skip: usize| body.get(skip..).filter(|inner| inner.len() > 2).and_then(self::nodes);
        nodes.push(if tag & 0x20 != 0 {
            Node::Nodes(tag, self::nodes(body)?)
        } else if tag == 0x04 && inside(0).is_some() {
            Node::Wrapped(tag, Vec::new(), inside(0)?)
        } else if tag == 0x03 && inside(1).is_some() {
            Node::Wrapped(tag, vec![body[0]], inside(1)?)
        } else {
            Node::Bytes(tag, body.to_vec())
        });
    }
    Some(nodes)
}

/// An element.
pub fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match body.len() {
        short @ 0..=0x7f => out.push(short as u8),
        one @ 0x80..=0xff => out.extend([0x81, one as u8]),
        two @ 0x100..=0xffff => out.extend([0x82, (two >> 8) as u8, two as u8]),
        three => out.extend([0x83, (three >> 16) as u8, (three >> 8) as u8, three as u8]),
    }
    out.extend_from_slice(body);
    out
}

impl Node {
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        nodes(bytes).and_then(|mut nodes| nodes.pop())
    }

    pub fn encode(&self) -> Vec<u8> {
        let all = |nodes: &[Node]| nodes.iter().flat_map(Node::encode).collect::<Vec<u8>>();
        match self {
            Self::Bytes(tag, bytes) => tlv(*tag, bytes),
            Self::Nodes(tag, nodes) => tlv(*tag, &all(nodes)),
            Self::Wrapped(tag, head, nodes) => tlv(*tag, &[head.clone(), all(nodes)].concat()),
            Self::Raw(bytes) => bytes.clone(),
        }
    }

    fn children(&mut self) -> Option<&mut Vec<Self>> {
        match self {
            Self::Nodes(_, nodes) | Self::Wrapped(_, _, nodes) => Some(nodes),
            Self::Bytes(..) | Self::Raw(_) => None,
        }
    }

    fn size(&mut self) -> usize {
        1 + self.children().map_or(0, |nodes| nodes.iter_mut().map(Self::size).sum())
    }

    /// Changes one random place, and describes the change.
    pub fn mutate(&mut self, random: &mut Random) -> String {
        let at = random.below(self.size());
        self.change(at, random)
    }

    fn change(&mut self, at: usize, random: &mut Random) -> String {
        if at == 0 {
            return self.change_here(random);
        }
        let Some(children) = self.children() else { return "nothing".to_owned() };
        let mut at = at - 1;
        for index in 0..children.len() {
            let size = children[index].size();
            if at >= size {
                at -= size;
                continue;
            }
            if at == 0 {
                match random.below(12) {
                    0 => return format!("dropped {:?}", children.remove(index).tag()),
                    1 => {
                        let copy = children[index].clone();
                        children.insert(index, copy);
                        return "doubled".to_owned();
                    }
                    2 => {
                        let other = random.below(children.len());
                        children.swap(index, other);
                        return "swapped".to_owned();
                    }
                    3 => {
                        let next = random.odd_node();
                        children.insert(index, next);
                        return "inserted".to_owned();
                    }
                    4 => {
                        children[index] = random.odd_node();
                        return "replaced".to_owned();
                    }
                    _ => {}
                }
            }
            return children[index].change(at, random);
        }
        "nothing".to_owned()
    }

    fn tag(&self) -> Option<u8> {
        match self {
            Self::Bytes(tag, _) | Self::Nodes(tag, _) | Self::Wrapped(tag, ..) => Some(*tag),
            Self::Raw(_) => None,
        }
    }

    fn change_here(&mut self, random: &mut Random) -> String {
        let flip = random.bit();
        let choice = random.below(8);
        let said = format!("{:02x?} changed by {choice}", self.tag());
        match (self, choice) {
            (Self::Bytes(tag, _) | Self::Nodes(tag, _) | Self::Wrapped(tag, ..), 0) => *tag ^= flip,
            (node, 1) => {
                // A length that is wrong, long or missing.
                let mut bytes = node.encode();
                match random.below(4) {
                    0 => bytes[1] = bytes[1].wrapping_add(1),
                    1 => bytes[1] = bytes[1].wrapping_sub(1),
                    2 if bytes[1] < 0x80 => bytes.insert(1, 0x81),
                    2 => {
                        bytes[1] += 1;
                        bytes.insert(2, 0);
                    }
                    _ => {
                        bytes[1] = 0x80;
                        bytes.extend([0, 0]);
                    }
                }
                *node = Self::Raw(bytes);
            }
            (Self::Bytes(_, bytes), 2..=4) if !bytes.is_empty() => {
                let at = random.below(bytes.len());
                bytes[at] = match random.below(4) {
                    0 => bytes[at] ^ flip,
                    1 => random.byte(),
                    2 => [0, 0xff, 0x7f, 0x80][random.below(4)],
                    _ => b'.',
                };
            }
            (Self::Bytes(_, bytes), 5) => {
                let at = random.below(bytes.len() + 1);
                bytes.insert(at, random.byte());
            }
            (Self::Bytes(_, bytes), 6) if !bytes.is_empty() => {
                bytes.remove(random.below(bytes.len()));
            }
            (Self::Wrapped(_, head, _), 2..=4) if !head.is_empty() => head[0] = random.below(9) as u8,
            (Self::Nodes(_, nodes) | Self::Wrapped(_, _, nodes), 2) => nodes.push(random.odd_node()),
            (Self::Nodes(_, nodes) | Self::Wrapped(_, _, nodes), 3) => nodes.clear(),
            (node, _) => {
                let mut bytes = node.encode();
                let at = random.below(bytes.len());
                bytes[at] ^= flip;
                *node = Self::Raw(bytes);
            }
        }
        said
    }
}
