"""The HTTP service: translations as LibreTranslate has them, completions as OpenAI has them, and the page."""
