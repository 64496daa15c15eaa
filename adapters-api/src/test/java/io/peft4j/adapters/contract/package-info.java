/**
 * What every adapter method must do. A method's own test extends {@link
 * io.peft4j.adapters.contract.AdapterContract} and says how its configs are made; the behaviours
 * come with it, each run over ranks, types and kinds of base weights.
 *
 * <p>It is published for methods outside this repository, which also need JUnit Jupiter 5.14 and
 * AssertJ:
 *
 * <pre>{@code
 * <dependency>
 *   <groupId>io.peft4j</groupId>
 *   <artifactId>adapters-api</artifactId>
 *   <version>${peft4j.version}</version>
 *   <type>test-jar</type>
 *   <scope>test</scope>
 * </dependency>
 * }</pre>
 */
package io.peft4j.adapters.contract;
