//! JSON in which an object is written as one. serde reads a struct from an array just as well, its fields in their order:
//! nobody documents that order, and a field that is added in the middle would change what such a text means.

use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

/// A value of a JSON text. An array in the place of an object, at any depth, is an error of data.
pub(crate) fn from_slice<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = T::deserialize(Objects(&mut json))?;
    json.end()?;
    Ok(value)
}

/// Hands on what it is made of, and takes no array for a struct. What serde reads twice (`flatten`, `untagged`) it sees
/// the first time only.
pub(crate) struct Objects<T>(pub(crate) T);

/// A visitor, and whether it reads a struct.
struct Watch<V> {
    visitor: V,
    is_struct: bool,
}

fn any<V>(visitor: V) -> Watch<V> {
    Watch { visitor, is_struct: false }
}

macro_rules! hand_on {
    ($($method:ident($($argument:ident: $kind:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($argument,)* any(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Objects<D> {
    type Error = D::Error;

    hand_on! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, Watch { visitor, is_struct: true })
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident: $kind:ty;)*) => {$(
        fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Watch<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    visit! {
        visit_bool: bool;
        visit_i8: i8;
        visit_i16: i16;
        visit_i32: i32;
        visit_i64: i64;
        visit_i128: i128;
        visit_u8: u8;
        visit_u16: u16;
        visit_u32: u32;
        visit_u64: u64;
        visit_u128: u128;
        visit_f32: f32;
        visit_f64: f64;
        visit_char: char;
        visit_str: &str;
        visit_borrowed_str: &'de str;
        visit_string: String;
        visit_bytes: &[u8];
        visit_borrowed_bytes: &'de [u8];
        visit_byte_buf: Vec<u8>;
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Objects(from))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Objects(from))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        if self.is_struct {
            return Err(A::Error::invalid_type(Unexpected::Seq, &"a JSON object"));
        }
        self.visitor.visit_seq(Objects(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Objects(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Objects(variant))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Objects<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Objects(from))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Objects(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(Objects(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Objects(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Objects<A> {
    type Error = A::Error;
    type Variant = Objects<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Objects<A::Variant>), A::Error> {
        let (value, variant) = self.0.variant_seed(Objects(seed))?;
        Ok((value, Objects(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Objects(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(len, any(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, Watch { visitor, is_struct: true })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Point {
        x: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Shape {
        Dot(Point),
        Line { from: Point, to: (u32, u32) },
        Nothing,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Pair(u32, Option<u32>);

    fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
        from_slice(value.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    /// The same values as serde reads, where no struct is an array.
    #[test]
    fn whatever_is_written_as_documented_is_read() {
        assert_eq!(read(&json!({"x": 1})), Ok(Point { x: 1 }));
        assert_eq!(read(&json!([1, null])), Ok(Pair(1, None)));
        assert_eq!(read(&json!([{"x": 1}, {"x": 2}])), Ok(vec![Point { x: 1 }, Point { x: 2 }]));
        assert_eq!(read(&json!({"a": {"x": 1}})), Ok(BTreeMap::from([("a".to_owned(), Point { x: 1 })])));
        assert_eq!(read(&json!({"dot": {"x": 1}})), Ok(Shape::Dot(Point { x: 1 })));
        let line = json!({"line": {"from": {"x": 1}, "to": [2, 3]}});
        assert_eq!(read(&line), Ok(Shape::Line { from: Point { x: 1 }, to: (2, 3) }));
        assert_eq!(read(&json!("nothing")), Ok(Shape::Nothing));
        assert_eq!(read::<Option<Point>>(&Value::Null), Ok(None));
        let whatever = json!({"a": [1, -2, 3.5, "x", null, true, {"b": []}]});
        assert_eq!(read(&whatever), Ok(whatever.clone()));
    }

    #[test]
    fn an_array_is_no_object_at_any_depth() {
        let refused = |said: Result<(), String>| {
            let text = said.unwrap_err();
            assert!(text.starts_with("invalid type: sequence, expected a JSON object"), "{text}");
        };
        refused(read::<Point>(&json!([1])).map(drop));
        refused(read::<Point>(&json!([])).map(drop));
        refused(read::<Option<Point>>(&json!([1])).map(drop));
        refused(read::<Vec<Point>>(&json!([{"x": 1}, [1]])).map(drop));
        refused(read::<BTreeMap<String, Point>>(&json!({"a": [1]})).map(drop));
        refused(read::<(Point, u32)>(&json!([[1], 1])).map(drop));
        refused(read::<Shape>(&json!({"dot": [1]})).map(drop));
        refused(read::<Shape>(&json!({"line": [{"x": 1}, [2, 3]]})).map(drop));
        refused(read::<Shape>(&json!({"line": {"from": [1], "to": [2, 3]}})).map(drop));
        assert!(from_slice::<Point>(b"{\"x\": 1} 2").is_err());
    }
}
