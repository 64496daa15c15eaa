package io.peft4j.cli.compare;

/**
 * Why a run has no result.
 *
 * @param message in one line
 * @param exitCode what the process ended with, or would have
 */
public record RunFailure(String message, int exitCode) {}
