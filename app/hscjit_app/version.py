"""Which version of the app is this? A meta test keeps it equal to the distribution's."""

VERSION = "0.1.0"
