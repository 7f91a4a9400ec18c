"""The only package that knows HTTP; one module per URL family."""
