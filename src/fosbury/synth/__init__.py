"""The built-in athlete: a rigged body that jumps the Fosbury flop in front of a virtual camera, with exact labels."""
