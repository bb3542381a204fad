//! A real model: all-MiniLM-L6-v2 as llama.cpp embeds sentences with it.

use anyhow::Result;

use crate::briq::convert;
use crate::claims::Claims;
use crate::llama::Llama;
use crate::place::Place;

/// Targets, and the least average cosine with the F32 file's embeddings.
const BOUNDS: &[(&str, f64)] = &[("F16", 0.9999), ("Q8_0", 0.999), ("Q4_K_M", 0.98)];

/// Short and long, plain and not: words, numbers, code, other scripts.
const SENTENCES: [&str; 20] = [
    "The ferry leaves at six in the morning.",
    "A boat departs early each day.",
    "Interest rates rose by a quarter of a point.",
    "Slice the onions thinly and fry them until they are golden.",
    "The committee has not yet reached a decision, and its chair does not expect one before spring.",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
    "Who wrote the second book?",
    "fn main() { println!(\"{}\", 6 * 7); }",
    "42",
    "The patient was given 250 mg twice a day for 10 days.",
    "La bibliothèque ferme à dix-huit heures.",
    "Der Zug nach Hamburg hat zwanzig Minuten Verspätung.",
    "東京は日本の首都です。",
    "It rained. It rained again. Then, for a week, it rained.",
    "Error 404: the page you asked for does not exist.",
    "She had never seen so many stars, not even on the mountain where she grew up.",
    "cheap flights to lisbon in october",
    "The tensile strength of the alloy drops sharply above 400 °C, which rules it out for turbine blades.",
    "no",
    "In the beginning the map was empty; every expedition added a river, a ridge or a name, and took away a guess.",
];

/// Embeds the sentences with every target.
pub(super) fn run(place: &Place) -> Result<()> {
    let llama = Llama::load(&place.libraries())?;
    let work = place.work("minilm")?;
    let embeddings = |target: &str| -> Result<Vec<Vec<f32>>> {
        let model = llama.model(&convert(place, &place.minilm(), target, &work)?)?;
        SENTENCES.iter().map(|sentence| model.embedding(sentence)).collect()
    };

    let mut claims = Claims::default();
    let full = embeddings("F32")?;
    // Embeddings that ignore the sentence would agree perfectly; these two mean nearly the same, the next not.
    let (related, unrelated) = (cosine(&full[0], &full[1]), cosine(&full[0], &full[3]));
    println!("cosine of related sentences {related:.3}, of unrelated ones {unrelated:.3}");
    claims.that(related > unrelated + 0.3, "the F32 file's embeddings do not tell sentences apart");
    println!("target   average cosine  least cosine    bound");
    for &(target, bound) in BOUNDS {
        let cosines: Vec<_> = full.iter().zip(&embeddings(target)?).map(|(a, b)| cosine(a, b)).collect();
        let average = cosines.iter().sum::<f64>() / cosines.len() as f64;
        let least = cosines.iter().copied().fold(1.0, f64::min);
        println!("{target:8} {average:14.7} {least:13.7} {bound:8}");
        claims.that(
            average >= bound,
            format_args!("{target}: average cosine {average:.7}, allowed is {bound}"),
        );
    }
    claims.settle()
}

/// The cosine of the angle between two vectors; 0 when they are not comparable.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let product =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let cosine = product(a, b) / (product(a, a) * product(b, b)).sqrt();
    if a.len() == b.len() && cosine.is_finite() { cosine } else { 0.0 }
}
