/**
 * What every adapter method must do. A method's own test extends {@link
 * io.peft4j.adapters.contract.AdapterContract} and says how its configs are made; the behaviours
 * come with it, each run over ranks, types and kinds of base weights.
 */
package io.peft4j.adapters.contract;
