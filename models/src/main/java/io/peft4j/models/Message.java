package io.peft4j.models;

/**
 * One turn of a conversation.
 *
 * @param role who speaks, such as {@code system}, {@code user} or {@code assistant}
 * @param content what is said
 */
public record Message(String role, String content) {}
