package io.peft4j.cli;

import io.peft4j.serving.Server;
import picocli.CommandLine.ITypeConverter;

/** Reads the name of a server. */
final class ServerConverter implements ITypeConverter<Server> {

    @Override
    public Server convert(String name) {
        try {
            return Server.parse(name);
        } catch (IllegalArgumentException e) {
            throw new UsageException("--for: " + e.getMessage(), e);
        }
    }
}
