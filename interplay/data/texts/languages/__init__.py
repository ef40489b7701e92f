"""German and Spanish that becomes English: words, grammar, sentences. No sound, no time."""
