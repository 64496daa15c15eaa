/** Proximal policy optimisation, with policy and value as adapters on one base. */
@org.jspecify.annotations.NullMarked
package io.peft4j.tuning.online.ppo;
