package io.peft4j.hub;

/** What a repository is wanted for, and so which of its files are fetched. */
enum HubContent {
    /** Config, tokenizer and weights of a model. */
    MODEL,
    /** Config and tokenizer of a model. */
    DESCRIPTION,
    /** Config and weights of an adapter in PEFT's format. */
    ADAPTER,
    /** An adapter if the repository holds one, a model otherwise. */
    EITHER
}
