"""The version of both applications: the build reads it from here, and a test checks that the image tags match."""

VERSION = "0.1.0"
