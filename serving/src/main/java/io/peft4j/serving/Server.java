package io.peft4j.serving;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** A server that loads adapters. */
public enum Server {

    /** vLLM: a directory in PEFT's format. */
    VLLM("vllm"),

    /** Hugging Face's Text Generation Inference: a directory in PEFT's format. */
    TGI("tgi"),

    /** llama.cpp: a GGUF file. */
    LLAMA_CPP("llama.cpp"),

    /** DJL Serving, which hands adapters to vLLM: a model directory with {@code adapters/}. */
    DJL_SERVING("djl-serving");

    private final String text;

    Server(String text) {
        this.text = text;
    }

    /**
     * Reads a server's name.
     *
     * @param name such as {@code llama.cpp}, in any case
     * @return the server
     * @throws IllegalArgumentException if there is none of this name
     */
    public static Server parse(String name) {
        return Arrays.stream(values())
                .filter(server -> server.text.equals(name.toLowerCase(Locale.ROOT)))
                .findFirst()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        "expected one of "
                                                + Arrays.stream(values())
                                                        .map(Server::toString)
                                                        .collect(Collectors.joining(", "))
                                                + ", found \""
                                                + name
                                                + '"'));
    }

    /** Tells which servers read adapters by vLLM's rules. */
    boolean isVllm() {
        return this == VLLM || this == DJL_SERVING;
    }

    /**
     * Tells which rank to write, so that the server has nothing to fill up.
     *
     * @param least the rank that the adapter needs
     * @return this rank or a larger one
     */
    int rankFor(int least) {
        return this == TGI ? TgiRules.paddedRank(least) : least;
    }

    /** The name as it is written on the command line. */
    @Override
    public String toString() {
        return text;
    }
}
