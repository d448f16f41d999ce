"""The version of both applications: the build reads it from here, and a test holds the image tags to it."""

VERSION = "0.1.0"
