/* Why a dump or a restore cannot be. The first reason counts. */
#include "checkpoint.h"

#include <stdio.h>

static char refusal[512];

bool hp_refuse(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	if (!refusal[0])
		vsnprintf(refusal, sizeof refusal, format, arguments);
	va_end(arguments);
	return false;
}

const char *hp_refusal(void)
{
	return refusal;
}

void hp_refusal_forget(void)
{
	refusal[0] = '\0';
}
