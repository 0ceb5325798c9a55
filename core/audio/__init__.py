"""The sound of what is said, where a space has it kept: files of Ogg Opus, one page's each."""
