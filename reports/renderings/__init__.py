"""What is known as text: for a terminal, Markdown, JUnit, badges."""
