# Executables that are none here, or not whole.
exec 2>&1
cp $R/bare-plain foreign
printf '\267' | dd of=foreign bs=1 seek=18 conv=notrunc status=none
head -c 40 $R/bare-plain >cut; chmod +x cut
printf '\177ELF' >magic; chmod +x magic
cp $R/shape-pie no-segments; dd if=/dev/zero of=no-segments bs=1 seek=56 count=2 conv=notrunc status=none
for shell in sh bash; do
	for it in foreign cut magic no-segments; do
		$shell -c ./$it; echo "$it $?"
	done
done
