"""What is heard in a sound: words and where speech is; knows nothing of what was wanted."""
