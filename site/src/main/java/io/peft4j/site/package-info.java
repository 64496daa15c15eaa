/** The pages of this repository: what they show as code, and the site that is made of them. */
@NullMarked
package io.peft4j.site;

import org.jspecify.annotations.NullMarked;
