"""What generators and scores share: elements, oxidation states, radii, prototypes, files."""
