"""Which images the files that people have name: text in, references out. Pure, without I/O."""
