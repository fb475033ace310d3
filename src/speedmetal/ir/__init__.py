"""The typed intermediate representation between the front end and the printers."""
