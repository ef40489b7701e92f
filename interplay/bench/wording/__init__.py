"""Words as text: one spelling, numbers, rules, what a voice can say; knows nothing of sound."""
