"""What tests ask again and again: servers, visitors, browsers, speech."""
