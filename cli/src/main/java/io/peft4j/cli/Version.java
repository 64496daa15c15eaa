package io.peft4j.cli;

import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;
import java.util.Properties;
import picocli.CommandLine.IVersionProvider;

/** Answers {@code --version}. */
final class Version implements IVersionProvider {

    @Override
    public String[] getVersion() throws IOException {
        Properties versions = new Properties();
        try (InputStream in =
                Objects.requireNonNull(
                        Version.class.getResourceAsStream("version.properties"),
                        "version.properties is not beside this class")) {
            versions.load(in);
        }
        return new String[] {
            "peft4j " + versions.getProperty("peft4j"),
            "DJL "
                    + versions.getProperty("djl")
                    + ", PyTorch "
                    + versions.getProperty("pytorch")
                    + ", Java "
                    + Runtime.version()
        };
    }
}
